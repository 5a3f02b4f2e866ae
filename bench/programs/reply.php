#!/usr/bin/php
<?php
$socket = stream_socket_client("unix://" . getenv("UROCKET_SOCKET"));
fwrite($socket, "POST " . getenv("UROCKET_REPLY") . " HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n");
exit(str_contains(fgets($socket), " 200") ? 0 : 1);
