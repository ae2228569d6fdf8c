// Gives the user a file, as if a link to it had been clicked.
export function saveFile(address: string, name = ""): void {
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.download = name;
  anchor.click();
}

export function saveBlob(blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob);
  saveFile(address, name);
  window.setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
