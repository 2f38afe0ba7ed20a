// The views in the order of their tabs. `make(root, context)` builds one and gives `{ show(state, changed), leave() }`.

import { makeCell } from "./cell.js";
import { makeRead } from "./read.js";

export const VIEWS = [
  { name: "read", title: "Read", make: makeRead },
  { name: "cell", title: "Inside a cell", make: makeCell },
];
