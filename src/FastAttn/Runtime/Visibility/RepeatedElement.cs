using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>A row's single element, which applies to all keys, as in a mask whose key axis has size 1.</summary>
/// <typeparam name="TElement">The row's element type.</typeparam>
internal readonly unsafe struct RepeatedElement<TElement> : IRowElement
    where TElement : struct, IRowElement
{
    public static bool OnlyHides => TElement.OnlyHides;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TVector>(void* row, long index, TVector scale)
        where TVector : struct, ILanes<TVector>
    {
        float element = 0;
        TElement.Load(row, 0, Lanes1.Create(1)).Store(ref element);
        return TVector.Create(element) * scale;
    }
}
