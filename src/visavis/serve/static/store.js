// The person's models: those that this browser keeps, which never leave it, and the one that the server gives.

const STORE = "models";

/** Run one request on the database. */
export function stored(mode, request) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("visavis", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const asked = request(opening.result.transaction(STORE, mode).objectStore(STORE));
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(asked.error);
    };
  });
}

let offered = null;

/** What the server gives: {kind: vrm | live2d | "", name, files: [names], core: bool}. */
export function offer() {
  offered ??= fetched("model").then((blob) => blob.text()).then(JSON.parse);
  return offered;
}

/** A file of the server, as a Blob. */
export async function fetched(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`the server does not give ${path}: ${await answer.text()}`);
  return answer.blob();
}
