// A canvas to draw on: dark ink on white. `done(blob)` gets a PNG whenever the pen is lifted.

const WIDTH = 20; // of the pen, in pixels of the canvas; about that of a printed stroke
const PAUSE = 300; // milliseconds without a stroke before it is searched

export function drawing(canvas, done) {
  const context = canvas.getContext("2d");
  let pause;

  function clear() {
    clearTimeout(pause);
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
  }

  function place(event) {
    const box = canvas.getBoundingClientRect();
    const scale = canvas.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }

  function stroke(event) {
    context.lineTo(...place(event));
    context.stroke();
  }

  canvas.addEventListener("pointerdown", (event) => {
    clearTimeout(pause);
    canvas.setPointerCapture(event.pointerId);
    Object.assign(context, { lineWidth: WIDTH, lineCap: "round", lineJoin: "round", strokeStyle: "#000" });
    context.beginPath();
    context.moveTo(...place(event));
    stroke(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) stroke(event);
  });
  canvas.addEventListener("lostpointercapture", () => {
    pause = setTimeout(() => canvas.toBlob(done, "image/png"), PAUSE);
  });

  clear();
  return clear;
}
