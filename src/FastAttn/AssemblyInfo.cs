using System.Runtime.CompilerServices;

// Calls of a few tokens take microseconds, of which zeroing the structs of a tile was a part. What stackalloc gives is written before it is read.
[module: SkipLocalsInit]
