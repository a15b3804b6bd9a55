// Making elements, without ever parsing HTML.

export const $ = id => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

const build = (element, attributes, children) => {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
};

export const el = (name, attributes, ...children) => build(document.createElement(name), attributes, children);
export const svg = (name, attributes, ...children) => build(document.createElementNS(SVG, name), attributes, children);
export const icon = name => svg("svg", { "aria-hidden": "true" }, svg("use", { href: `#i-${name}` }));

// setText changes a text only when it differs, so that nothing is announced or
// laid out anew for nothing.
export const setText = (element, text) => { if (element.textContent !== String(text)) element.textContent = text; };
