// Lets people see the password that they type. Without scripts, its buttons stay hidden.
for (const button of document.querySelectorAll("button.show")) {
  const field = document.getElementById(button.getAttribute("aria-controls"));
  button.hidden = false;
  button.addEventListener("click", () => {
    const shown = field.type === "text";
    field.type = shown ? "password" : "text";
    button.setAttribute("aria-pressed", String(!shown));
  });
  // A password that stayed visible would be offered again as ordinary text.
  field.form.addEventListener("submit", () => {
    field.type = "password";
  });
}
