"use strict";
const all = document.getElementById("all");
const words = [all.textContent, all.dataset.close];
let open = false;
all.hidden = false;
all.addEventListener("click", () => {
  open = !open;
  for (const row of document.querySelectorAll("details.row")) row.open = open;
  all.textContent = words[open ? 1 : 0];
});
