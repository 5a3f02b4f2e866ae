#!/usr/bin/perl
# Answers with Perl's core modules only: a request of HTTP is a few lines of text.
use strict;
use warnings;
use IO::Socket::UNIX;

binmode STDIN;
my $payload = do { local $/; <STDIN> };
my $answer = qq({"language":"perl","requestId":"$ENV{REQUEST_ID}","payload":$payload}\n);

my $socket = IO::Socket::UNIX->new(Peer => $ENV{UROCKET_SOCKET}) or die "Cannot connect to $ENV{UROCKET_SOCKET}: $!\n";
binmode $socket;
print {$socket} join "\r\n",
  "POST $ENV{UROCKET_REPLY} HTTP/1.1",
  'Host: localhost',
  'Connection: close',
  'Content-Type: application/json',
  'Content-Length: ' . length $answer,
  '', $answer;
$socket->flush;

my $status = <$socket> // '';
die "The reply was not taken: $status" unless $status =~ m{^HTTP/1\.1 200 };
