namespace FastAttn.Tests.Kernels;

/// <summary>Declarations in every kind of type, at every access, as property and as method; all of the same kernel.</summary>
internal sealed partial class KernelContainer
{
    [AttentionKernel(8)]
    public partial AttentionKernel OfInstance { get; }

    [AttentionKernel(8)]
    internal partial AttentionKernel MadeByInstance();

    [AttentionKernel(8)]
    private static partial AttentionKernel Hidden { get; }

    public static AttentionKernel Shown => Hidden;

    internal static partial class Nested
    {
        [AttentionKernel(8)]
        public static partial AttentionKernel Property { get; }

        internal static partial class Deeper
        {
            [AttentionKernel(8)]
            internal static partial AttentionKernel @event { get; }

            [AttentionKernel(8)]
            internal static partial AttentionKernel Method();
        }
    }

    internal static partial class Generic<T, @class>
        where T : struct
    {
        [AttentionKernel(8)]
        public static partial AttentionKernel Property { get; }

        internal partial struct OfGeneric<TOther>
        {
            [AttentionKernel(8)]
            public static partial AttentionKernel Method();
        }
    }

    internal partial struct Struct
    {
        [AttentionKernel(8)]
        public static partial AttentionKernel Property { get; }
    }

    internal readonly partial record struct RecordStruct(int Number)
    {
        [AttentionKernel(8)]
        public readonly partial AttentionKernel Property { get; }
    }

    internal sealed partial record Record(int Number)
    {
        [AttentionKernel(8)]
        public static partial AttentionKernel Method();
    }

    internal partial interface IInterface<in T>
    {
        [AttentionKernel(8)]
        static partial AttentionKernel Property { get; }

        [AttentionKernel(8)]
        internal static partial AttentionKernel Method();
    }
}
