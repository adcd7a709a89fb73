// Loaded before Plotly, for two of its habits that our policy forbids.
{
  // It styles by setAttribute("style", …), which is an inline style. The same text put in through
  // the object model is allowed, and means the same.
  const plain = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function setAttribute(name, value) {
    if (this.style && String(name).toLowerCase() === "style") {
      this.style.cssText = value;
    } else {
      plain.call(this, name, value);
    }
  };

  // It adds the stylesheet of its maps, of which we draw none, as it is loaded. The browser would
  // refuse it, and complain.
  const append = document.head.appendChild;
  document.head.appendChild = function appendChild(node) {
    return node instanceof HTMLStyleElement ? node : append.call(this, node);
  };
}
