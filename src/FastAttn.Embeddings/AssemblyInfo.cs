using System.Runtime.CompilerServices;

// What stackalloc gives is written before it is read.
[module: SkipLocalsInit]
