"use strict";

// A phone shows each row of a table as a card: the values that there are, with the names
// of their columns in front.
function makeCards(table) {
  const names = [...table.querySelectorAll("thead th")].map((head) => head.textContent.trim());
  for (const row of table.querySelectorAll("tbody tr"))
    [...row.children].forEach((cell, place) => {
      const value = document.createElement("div");
      value.append(...cell.childNodes);
      cell.append(value);
      cell.dataset.column = names[place] || "";
      const isEmpty = ["", "–"].includes(value.textContent.trim());
      if (isEmpty && !value.querySelector("img, input")) cell.dataset.empty = "";
    });
  table.classList.add("cards");
}

// What Django writes of a time field becomes a time like those that we write.
const UTC = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC$/;

function markTimes(root) {
  for (const cell of root.querySelectorAll(".readonly, #result_list td")) {
    const text = cell.textContent.trim(), found = UTC.exec(text);
    if (!found || cell.querySelector("time")) continue;
    const time = document.createElement("time");
    time.dateTime = `${found[1]}T${found[2]}Z`;
    time.title = time.textContent = text;
    cell.replaceChildren(time);
  }
}

// Times stand in UTC in the page. Show them in the reader's zone; the title keeps UTC.
function localize(root) {
  const format = new Intl.DateTimeFormat("sv-SE", {
    year: "numeric", month: "2-digit", day: "2-digit",
    hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
  });
  for (const time of root.querySelectorAll("time[datetime]"))
    time.textContent = format.format(new Date(time.dateTime));
}

// Search as you type: the results of the last text, half a second after the last key.
function searchAsYouType(input) {
  const results = document.getElementById(input.dataset.results);
  let timer, request;
  const search = () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      if (request) request.abort();
      request = new AbortController();
      const query = new URLSearchParams({ q: input.value, results: "1" });
      try {
        const response = await fetch(`?${query}`, { signal: request.signal });
        if (response.ok) results.innerHTML = await response.text();
      } catch (error) {
        if (error.name !== "AbortError") throw error;
      }
    }, 500);
  };
  input.addEventListener("input", search);
  // What was typed before this script ran.
  if (input.value !== input.defaultValue) search();
}

// A second click on a button that asks Jira does nothing.
function submitOnce(form) {
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = !event.submitter || event.submitter.name !== "_preview";
  });
  addEventListener("pageshow", () => { sent = false; });
}

// Django's lists to choose from have icons with a label, but without a role.
addEventListener("load", () => {
  for (const icon of document.querySelectorAll(".selector .help-tooltip"))
    icon.setAttribute("role", "img");
});

document.querySelectorAll("#result_list, .as-cards").forEach(makeCards);
markTimes(document);
localize(document);
document.querySelectorAll("input[data-results]").forEach(searchAsYouType);
document.querySelectorAll("#content form[method=post]").forEach((form) => {
  if (!form.closest(".exports") && form.id !== "changelist-form") submitOnce(form);
});
