// The reference: every line of the control connection goes to all sockets and event streams.
import { createServer } from 'node:http';
import { createServer as createControl } from 'node:net';
import { createInterface } from 'node:readline';
import { WebSocketServer } from 'ws';

const streams = new Set();
const http = createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(': hello\n\n');
  streams.add(response);
  request.on('close', () => streams.delete(response));
});
const sockets = new WebSocketServer({ server: http, perMessageDeflate: false });
const control = createControl((client) => {
  createInterface({ input: client }).on('line', (line) => {
    for (const socket of sockets.clients) socket.send(line);
    for (const stream of streams) stream.write(`event: card_updated\ndata: ${line}\n\n`);
  });
});
http.listen(0, '127.0.0.1', () => control.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ port: http.address().port, control: control.address().port }));
}));
