namespace FastAttn.Benchmarks;

/// <summary>A number of threads in words.</summary>
internal static class ThreadText
{
    public static string Of(int threads) => threads == 1 ? "1 thread" : $"{threads} threads";
}
