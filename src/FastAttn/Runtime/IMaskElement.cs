using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>An element type of rows that become lanes: how it is read as what is added to a score, in units of log₂.</summary>
internal unsafe interface IMaskElement
{
    /// <summary>Size of an element.</summary>
    static abstract int Bits { get; }

    /// <summary>Whether the element only hides keys or not, so that it can be laid over another mask.</summary>
    static abstract bool OnlyHides { get; }

    /// <summary>Reads elements <paramref name="index"/> to <paramref name="index"/> + 3 of a row.</summary>
    static abstract Vector128<float> LoadFour(void* row, long index, float scale);

    /// <summary>Reads one element of a row.</summary>
    static abstract float Load(void* row, long index, float scale);
}
