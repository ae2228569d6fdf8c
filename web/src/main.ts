import "./style/main.css";
import "./app";
import { startMenus } from "./ui/menus";
import { startTheme } from "./ui/theme";

startTheme();
startMenus();
