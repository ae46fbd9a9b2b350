// Socket.IO in its stock form, over its websocket transport: `msg` goes to everyone, `echo` is acknowledged.
const { createServer } = require("node:http");
const { Server } = require("socket.io");

const httpServer = createServer();
const io = new Server(httpServer, { transports: ["websocket"], serveClient: false });

io.on("connection", (socket) => {
  socket.join("bench");
  socket.on("msg", (payload) => io.to("bench").emit("msg", payload));
  socket.on("echo", (payload, acknowledge) => acknowledge(payload));
});

httpServer.listen(Number(process.argv[2]), "127.0.0.1");
