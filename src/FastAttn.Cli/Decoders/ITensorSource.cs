using System;
using System.IO;

namespace FastAttn.Cli.Decoders;

/// <summary>Where the weights of a decoder are from.</summary>
internal interface ITensorSource
{
    /// <summary>Whether there is such a tensor.</summary>
    bool Has(string name);

    /// <summary>How the numbers of a tensor are stored, which is how a layer keeps them unless it is told otherwise.</summary>
    WeightPrecision PrecisionOf(string name);

    /// <summary>The numbers of a tensor.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="shape">The size of each axis.</param>
    /// <exception cref="InvalidDataException">It is absent, or has another shape or a type that is not read.</exception>
    float[] Read(string name, params long[] shape);

    /// <summary>An error about a tensor that is there; it names the file that has it.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="message">What is wrong with it.</param>
    /// <param name="innerException">What has found that.</param>
    InvalidDataException Error(string name, string message, Exception innerException);

    /// <summary>Takes a tensor, where it is present, that has no influence on what a decoder computes.</summary>
    void Ignore(string name);
}
