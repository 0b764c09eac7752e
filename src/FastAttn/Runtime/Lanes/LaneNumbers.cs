using System.Linq;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The indices of a vector's lanes: 0, 1, 2 and so on.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal static class LaneNumbers<TVector>
    where TVector : struct, ILanes<TVector>
{
    private static readonly float[] s_numbers = [.. Enumerable.Range(0, TVector.Count)];

    /// <summary>Each lane's index.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load() => TVector.Load(ref s_numbers[0]);
}
