namespace FastAttn.Cli.Npy;

/// <summary>An array of float32 in C order: the last axis is contiguous.</summary>
/// <param name="Shape">The size of each axis.</param>
/// <param name="Data">The elements, as many as the product of <paramref name="Shape"/>.</param>
internal sealed record NpyArray(int[] Shape, float[] Data);
