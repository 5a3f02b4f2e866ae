#!/usr/bin/php
<?php
if (getenv("GATEWAY_INTERFACE") !== false) echo "Content-Type: text/plain\r\n\r\n";
echo "hello\n";
