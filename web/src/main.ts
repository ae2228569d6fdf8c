import "./style/main.css";
import "./app";
import { startTheme } from "./ui/theme";

startTheme();
