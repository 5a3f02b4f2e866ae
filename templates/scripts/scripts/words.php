<?php
// POST /words. The body comes on standard input, as JSON that the contract has checked.
$text = json_decode(stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR)['text'];
$reply = json_encode(['words' => str_word_count($text)]);

// HTTP over the unix socket that takes the replies: PHP's core is enough. With the curl extension, CURLOPT_UNIX_SOCKET_PATH does it.
$socket = stream_socket_client('unix://' . getenv('UROCKET_SOCKET'));
if ($socket === false) {
    exit(1);
}
fwrite($socket, 'POST ' . getenv('UROCKET_REPLY') . " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    . "Content-Type: application/json\r\nContent-Length: " . strlen($reply) . "\r\n\r\n" . $reply);
$status = fgets($socket);
if (!str_contains((string) $status, ' 200 ')) {
    fwrite(STDERR, "The reply was refused: $status");
    exit(1);
}
