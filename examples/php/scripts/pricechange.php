<?php
// POST /pricechange: the body comes on standard input. The answer goes to the socket path that the service file names,
// at the path of its outtake: /uri/{req_id}.
$catalogue = require __DIR__ . '/catalogue.php';
$payload = json_decode(stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR);

$changes = array_map(function (array $entry) use ($catalogue): array {
    $old = $catalogue[$entry['articlenr']] ?? null;
    $change = ['articlenr' => $entry['articlenr'], 'known' => $old !== null, 'price' => $entry['price']];
    return $old === null ? $change : $change + ['oldprice' => $old];
}, $payload['pricelist']);

$ch = curl_init('http://localhost/uri/' . getenv('REQUEST_ID'));

curl_setopt($ch, CURLOPT_UNIX_SOCKET_PATH, '/tmp/urocket-prices.sock');

curl_setopt($ch, CURLOPT_POST, 1);
curl_setopt($ch, CURLOPT_POSTFIELDS, json_encode(['handler' => 'pricechange', 'changes' => $changes]));
curl_setopt($ch, CURLOPT_RETURNTRANSFER, 1);
curl_setopt($ch, CURLOPT_HTTPHEADER, ['Content-Type: application/json']);

$result = curl_exec($ch);
$status = curl_getinfo($ch, CURLINFO_RESPONSE_CODE);
if ($result === false || $status !== 200) {
    fwrite(STDERR, "The reply was not taken: $status " . curl_error($ch) . "$result\n");
    exit(1);
}
// What is printed goes to urocket's log, with the request's id.
print 'answered ' . count($changes) . " changes\n";
