import { render } from "preact";
import "./style.css";
import { App } from "./app";
import { listen } from "./keys";
import { start } from "./runs";

listen();
start();
render(<App />, document.getElementById("app")!);
