/** A thread of this process, made by whoever calls: it is born in the caller's control groups. */
const script = URL.createObjectURL(new Blob(["setInterval(() => {}, 1000);"], { type: "application/javascript" }));

export function threadThatWaits(): Worker {
  return new Worker(script);
}

export async function endThread(worker: Worker): Promise<void> {
  const closed = new Promise((resolve) => worker.addEventListener("close", resolve));
  worker.terminate();
  await closed;
}
