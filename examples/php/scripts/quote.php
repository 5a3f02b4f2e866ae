<?php
// GET /prices/{articlenr}: the payload is the last argument: the path and query parameters. The socket and the path of
// the answer come from the environment, so that this script runs in every instance, wherever its socket is.
$catalogue = require __DIR__ . '/catalogue.php';
['articlenr' => $articlenr, 'quantity' => $quantity] = json_decode($argv[$argc - 1], true, 512, JSON_THROW_ON_ERROR);

$price = $catalogue[$articlenr] ?? null;
if ($price === null) {
    $status = 404;
    $type = 'application/problem+json';
    $answer = ['title' => 'No such article', 'status' => 404, 'detail' => "There is no article $articlenr"];
} else {
    $status = 200;
    $type = 'application/json';
    $answer = ['articlenr' => $articlenr, 'quantity' => $quantity, 'total' => $price * $quantity];
}

$ch = curl_init('http://localhost' . getenv('UROCKET_REPLY') . "?status=$status");
curl_setopt_array($ch, [
    CURLOPT_UNIX_SOCKET_PATH => getenv('UROCKET_SOCKET'),
    CURLOPT_POSTFIELDS => json_encode($answer),
    CURLOPT_HTTPHEADER => ["Content-Type: $type"],
    CURLOPT_RETURNTRANSFER => true,
]);
$result = curl_exec($ch);
$told = curl_getinfo($ch, CURLINFO_RESPONSE_CODE);
if ($result === false || $told !== 200) {
    fwrite(STDERR, "The reply was not taken: $told " . curl_error($ch) . "$result\n");
    exit(1);
}
