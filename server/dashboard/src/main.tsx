import { render } from "preact";
import "./style/index.css";
import { App } from "./app";
import "./draw/shared";
import { catchDrops } from "./drop";
import { listen } from "./keys";
import { start } from "./runs/listing";

listen();
catchDrops();
start();
const root = document.getElementById("app")!;
root.replaceChildren(); // removes the placeholder of index.html
render(<App />, root);
