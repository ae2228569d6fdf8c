// The parts of ECharts that this page uses; loaded when the first chart is shown.
import { CustomChart, GraphChart, LineChart, ScatterChart } from "echarts/charts";
import { DataZoomComponent, GridComponent, LegendComponent, MarkAreaComponent, TooltipComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { LabelLayout } from "echarts/features";
import { CanvasRenderer } from "echarts/renderers";

use([CanvasRenderer, CustomChart, DataZoomComponent, GraphChart, GridComponent, LabelLayout, LegendComponent, LineChart, MarkAreaComponent, ScatterChart, TooltipComponent]);

export { init };
