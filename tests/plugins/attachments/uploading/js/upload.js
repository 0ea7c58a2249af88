// Upload a file with tus-js-client: node upload.js ENDPOINT TOKEN FILE. Prints the upload's address.
import { createReadStream } from "node:fs";
import { Upload } from "tus-js-client";

const [endpoint, token, path] = process.argv.slice(2);

const upload = new Upload(createReadStream(path), {
  endpoint,
  headers: { Authorization: `Bearer ${token}` },
  metadata: { filename: "random.bin", filetype: "application/octet-stream" },
  retryDelays: Array(100).fill(300),
  onError(error) {
    console.error(String(error));
    process.exit(1);
  },
  onSuccess() {
    console.log(upload.url);
  },
});
upload.start();
