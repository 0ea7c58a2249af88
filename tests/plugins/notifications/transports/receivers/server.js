// A push service that can be killed: node server.js PORT FILE. FILE holds what it must not forget, a line for each
// subscription and each message, written before it is acknowledged.
const crypto = require("crypto");
const fs = require("fs");
const { PushApiModel } = require("web-push-testing/src/PushApiModel");
const Server = require("web-push-testing/src/server");

const [port, file] = process.argv.slice(2);

function append(entry) {
  const handle = fs.openSync(file, "a");
  fs.writeSync(handle, JSON.stringify(entry) + "\n");
  fs.fsyncSync(handle);
  fs.closeSync(handle);
}

class Kept extends PushApiModel {
  load() {
    if (!fs.existsSync(file)) return;
    for (const line of fs.readFileSync(file, "utf8").split("\n").filter(Boolean)) {
      const { hash, subscription, message } = JSON.parse(line);
      if (message !== undefined) {
        (this.messages[hash] ??= []).push(message);
        continue;
      }
      const subscriptionDh = crypto.createECDH("prime256v1");
      subscriptionDh.setPrivateKey(subscription.private, "hex");
      this.subscriptions[hash] = { ...subscription, subscriptionDh };
    }
  }

  async createSubscription(options) {
    const made = await super.createSubscription(options);
    const { subscriptionDh, ...subscription } = this.subscriptions[made.clientHash];
    append({ hash: made.clientHash, subscription: { ...subscription, private: subscriptionDh.getPrivateKey("hex") } });
    return made;
  }

  async handleNotification(hash, headers, body) {
    await super.handleNotification(hash, headers, body);
    append({ hash, message: this.messages[hash].at(-1) });
  }
}

const model = new Kept();
model.load();
new Server(model, Number(port)).startServer();
