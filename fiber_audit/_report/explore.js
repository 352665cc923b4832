"use strict";
// Without this script the page shows everything. With it: one audit at a time, one query large,
// its draws under a slider from the nearest to the farthest. All it shows is on the page already.
(() => {
  const explore = document.getElementById("explore");
  const audits = [...document.querySelectorAll("section.audit")];
  if (!explore || !audits.length) return;

  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const fibers = (audit) => [...audit.querySelectorAll("article.fiber")];
  const option = (text, value) => make("option", { value, textContent: text });
  const labelled = (text, control) => make("label", {}, text + " ", control);

  const audit = make("select");
  const query = make("select");
  const slider = make("input", { type: "range", min: 0, step: 1 });
  const told = make("output", { className: "told" });
  const stage = make("div", { className: "stage" });
  const keys = make("p", {
    className: "small soft",
    textContent: "Keys: ← → nearer, farther · j k next, previous query · a next audit · Esc all queries",
  });
  const slide = make("p", { className: "slide" },
    make("span", { textContent: "nearest to the query" }), slider,
    make("span", { textContent: "farthest" }), told);
  slider.setAttribute("aria-label", "Draw, from the nearest to the query to the farthest");
  stage.setAttribute("aria-live", "polite");

  audit.append(...audits.map((a, i) => option(a.dataset.audit, i)), option("all audits", -1));
  explore.append(
    make("p", { className: "choose" }, labelled("Audit", audit), labelled("Query", query)),
    slide, stage, keys);
  explore.hidden = false;

  let at = { audit: 0, query: -1, draw: 0 };

  const fiber = () => (at.audit < 0 ? [] : fibers(audits[at.audit]))[at.query];
  const draws = (article) => [...article.querySelectorAll(".draws > ul:not(.unguided) > li, tr.draw")];

  // A picture of the page, large: the file beside the page where there is one.
  const large = (image, title) => {
    if (!image) return "";
    const copy = make("img", { src: image.dataset.full || image.src, alt: image.alt });
    copy.addEventListener("error", () => { copy.src = image.src; }, { once: true });
    return make("figure", {}, copy, make("figcaption", { textContent: title }));
  };

  const showDraw = () => {
    const article = fiber();
    const all = article ? draws(article) : [];
    slide.hidden = all.length < 1;
    stage.replaceChildren();
    if (!article) return;
    at.draw = Math.max(0, Math.min(at.draw, all.length - 1));
    slider.max = Math.max(all.length - 1, 0);
    slider.value = at.draw;
    all.forEach((item, i) => item.classList.toggle("chosen", i === at.draw));
    const item = all[at.draw];
    if (!item) return;
    const image = item.querySelector("img");
    const free = article.querySelectorAll(".unguided > li")[at.draw];
    const [mean, deviation] = article.querySelectorAll(".spread img");
    told.textContent = `${at.draw + 1} of ${all.length}`;
    slider.setAttribute("aria-valuetext", image ? image.alt : item.textContent.trim());
    if (item.tagName === "TR") return;
    stage.append(
      large(article.querySelector(".query img"), "query"),
      image ? large(image, image.alt) : make("p", { textContent: "This draw was lost." }),
      large(free && free.querySelector("img"), "unguided, from the same noise"),
      large(mean, "mean of its draws"),
      large(deviation, deviation ? deviation.alt : ""));
  };

  const show = () => {
    audits.forEach((section, i) => {
      section.hidden = at.audit >= 0 && i !== at.audit;
      fibers(section).forEach((article, j) => {
        article.hidden = at.audit >= 0 && at.query >= 0 && j !== at.query;
        article.classList.toggle("alone", at.query >= 0 && i === at.audit && j === at.query);
      });
    });
    audit.value = at.audit;
    const names = at.audit < 0 ? [] : fibers(audits[at.audit]).map((f) => f.dataset.query);
    query.replaceChildren(option("all queries", -1), ...names.map((n, i) => option(n, i)));
    query.value = at.query;
    query.disabled = at.audit < 0;
    stage.classList.toggle("photographs", !!(fiber() && fiber().closest(".large")));
    keys.hidden = at.query < 0;
    showDraw();
  };

  const address = () => {
    const target = fiber() || audits[at.audit];
    history.replaceState(null, "", target ? "#" + target.id : location.pathname + location.search);
  };
  const go = (change) => {
    at = { ...at, ...change };
    const count = at.audit < 0 ? 0 : fibers(audits[at.audit]).length;
    if (at.query >= count) at.query = count - 1;
    show();
    address();
  };

  // Links from anywhere, and addresses that somebody was sent.
  const follow = () => {
    let id = location.hash.slice(1);
    try { id = decodeURIComponent(id); } catch { /* as it is */ }
    const target = id && document.getElementById(id);
    const section = target && target.closest("section.audit");
    if (!section) return;
    const article = target.closest("article.fiber");
    at = {
      audit: audits.indexOf(section),
      query: article ? fibers(section).indexOf(article) : -1,
      draw: 0,
    };
    show();
    explore.scrollIntoView();
  };

  audit.addEventListener("change", () => go({ audit: Number(audit.value), draw: 0 }));
  query.addEventListener("change", () => go({ query: Number(query.value), draw: 0 }));
  slider.addEventListener("input", () => { at.draw = Number(slider.value); showDraw(); });
  window.addEventListener("hashchange", follow);
  document.getElementById("draws").addEventListener("click", (event) => {
    const item = event.target.closest("article.fiber li, tr.draw");
    if (!item) return;
    const article = item.closest("article.fiber");
    const section = article.closest("section.audit");
    const place = item.tagName === "TR" ? draws(article).indexOf(item)
      : [...item.parentNode.children].indexOf(item);
    const apart = item.closest(".query, .spread");
    go({
      audit: audits.indexOf(section),
      query: fibers(section).indexOf(article),
      draw: apart ? at.draw : place,
    });
    explore.scrollIntoView({ block: "nearest" });
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || at.query < 0 || at.audit < 0) return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.key !== "Escape") return;
    const count = fibers(audits[at.audit]).length;
    const moves = {
      ArrowRight: () => { at.draw += 1; showDraw(); },
      ArrowLeft: () => { at.draw -= 1; showDraw(); },
      j: () => go({ query: (at.query + 1) % count, draw: 0 }),
      k: () => go({ query: (at.query + count - 1) % count, draw: 0 }),
      a: () => go({ audit: (at.audit + 1) % audits.length, draw: 0 }),
      Escape: () => go({ query: -1, draw: 0 }),
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    moves[event.key]();
  });

  show();
  follow();
  window.addEventListener("load", follow); // after the browser has scrolled to the address itself
})();
