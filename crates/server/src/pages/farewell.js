// Goes on once every app's frame has loaded, or failed to, and in any case after a few seconds.
let gone = false;
function go() {
  if (gone) return;
  gone = true;
  location.replace(document.getElementById("onward").href);
}
addEventListener("load", go);
setTimeout(go, 4000);
