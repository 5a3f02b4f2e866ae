<?php
// Prices in cents by article number.
return ['12312' => 1999, '12313' => 450, '20001' => 12900];
