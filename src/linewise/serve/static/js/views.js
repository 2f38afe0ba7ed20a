// The views in the order of their tabs. `make(root, context)` builds one and gives `{ show(state, changed), leave() }`.

import { makeCell } from "./cell.js";
import { makeDuel } from "./duel.js";
import { makeMistakes } from "./mistakes.js";
import { makeRead } from "./read.js";
import { makeTeach } from "./teach.js";

export const VIEWS = [
  { name: "read", title: "Read", make: makeRead },
  { name: "duel", title: "Duel", make: makeDuel },
  { name: "mistakes", title: "Mistakes", make: makeMistakes },
  { name: "teach", title: "Teach", make: makeTeach },
  { name: "cell", title: "Inside a cell", make: makeCell },
];
