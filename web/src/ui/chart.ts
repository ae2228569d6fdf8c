// A chart. Its words are for those who see it; label says the same in a sentence for those who do not.
import { html } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { ECharts, EChartsCoreOption } from "echarts/core";
import { PageElement } from "./element";
import { colour, onTheme } from "./theme";

// Told apart by those who see few colours, too (after Okabe and Ito), on light and dark ground.
const LIGHT = ["#0b6b64", "#b35c00", "#1f5fa8", "#a3397a", "#5b7a00", "#7a4fc0", "#8a6d3b", "#c0392b"];
const DARK = ["#4cc2b4", "#f0a13c", "#6fb1f5", "#e88cc4", "#b6cf4a", "#b79cf0", "#d2b483", "#ff8a80"];

export function palette(): string[] {
  return document.documentElement.dataset.theme === "dark" ? DARK : LIGHT;
}

// The colour of a proxy: always the same, whatever else is shown.
export function colourOf(name: string, names: string[]): string {
  const colours = palette();
  return colours[Math.max(0, names.indexOf(name)) % colours.length]!;
}

@customElement("bf-chart")
export class Chart extends PageElement {
  @property({ attribute: false }) make!: () => EChartsCoreOption; // made anew when the colours change
  @property() label = "";
  @property({ attribute: false }) onPick: ((name: string) => void) | undefined;
  private chart: ECharts | undefined;
  private stopTheme: (() => void) | undefined;
  private readonly watcher = new ResizeObserver(() => this.chart?.resize());

  override connectedCallback(): void {
    super.connectedCallback();
    this.stopTheme = onTheme(() => this.requestUpdate());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stopTheme?.();
    this.watcher.disconnect();
    this.chart?.dispose();
    this.chart = undefined;
  }

  protected override async updated(): Promise<void> {
    const box = this.querySelector<HTMLElement>(".chart");
    if (!box) return;
    const { init } = await import("./echarts");
    if (!this.isConnected) return;
    if (!this.chart) {
      this.chart = init(box);
      this.chart.on("click", (event) => this.onPick?.(String(event.name)));
      this.watcher.observe(box);
    }
    this.chart.setOption({ ...common(), ...this.make() }, { replaceMerge: ["series"] });
  }

  picture(): string | undefined {
    return this.chart?.getDataURL({ type: "png", pixelRatio: 2, backgroundColor: colour("panel") });
  }

  protected override render() {
    return html`<div class="chart" role="img" aria-label=${this.label}></div>`;
  }
}

// The tooltip is drawn on the canvas: one of HTML would need inline styles, which are forbidden here.
function common(): EChartsCoreOption {
  return {
    animation: false,
    color: palette(),
    textStyle: { color: colour("soft"), fontFamily: "inherit" },
    tooltip: {
      renderMode: "richText",
      confine: true,
      backgroundColor: colour("panel"),
      borderColor: colour("line"),
      textStyle: { color: colour("text"), fontSize: 12 },
    },
  };
}

export function axisLook(): object {
  return {
    axisLine: { lineStyle: { color: colour("line") } },
    axisTick: { lineStyle: { color: colour("line") } },
    axisLabel: { color: colour("faint") },
    splitLine: { lineStyle: { color: colour("line"), opacity: 0.6 } },
  };
}
