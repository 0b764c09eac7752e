namespace FastAttn.Cli;

/// <summary>What the process returns.</summary>
internal static class ExitCode
{
    /// <summary>The command is done, and its result is right where it was checked.</summary>
    public const int Success = 0;

    /// <summary>The kernel's result is further from the reference than allowed, or the tool itself or its standard output has failed.</summary>
    public const int Failure = 1;

    /// <summary>An option, a file or the environment is not as it must be; nothing has been written.</summary>
    public const int BadInput = 2;
}
