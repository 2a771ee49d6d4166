// Files that are dropped on the page, or pasted.

/**
 * @param onFile Called with the first file.
 * @param onNothing Called if what was dropped is none.
 */
export function takeFiles(onFile: (file: File) => void, onNothing: () => void): void {
  const hovers = (on: boolean): void => void document.body.classList.toggle('dragging', on);
  document.addEventListener('dragenter', () => hovers(true));
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) hovers(false); // otherwise it went on to a part of the page
  });
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    hovers(false);
    const file = event.dataTransfer?.files[0];
    if (file) onFile(file);
    else onNothing();
  });
  document.addEventListener('paste', (event) => {
    const file = event.clipboardData?.files[0];
    if (file) onFile(file);
  });
}
