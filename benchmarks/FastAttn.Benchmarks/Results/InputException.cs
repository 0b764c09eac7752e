using System;

namespace FastAttn.Benchmarks.Results;

/// <summary>An argument or a file is not as it must be; the message is one line for the user.</summary>
internal sealed class InputException(string message) : Exception(message);
