using System;

namespace FastAttn.Cli;

/// <summary>Something the user gave is not as it must be. The message is one line: what was given, what was found, what was expected.</summary>
internal sealed class InputException(string message, Exception? innerException = null) : Exception(message, innerException);
