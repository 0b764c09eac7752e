namespace FastAttn.Benchmarks;

/// <summary>What the process returns.</summary>
internal static class ExitCode
{
    public const int Success = 0;

    /// <summary>An option or a file is not as it must be; nothing has been measured.</summary>
    public const int BadInput = 2;
}
