using System;

using FastAttn.Generators.Model;

namespace FastAttn.Generators.Dialects;

/// <summary>
/// An instruction set as the emitter sees it. Emitted bodies name vectors through two aliases, <c>Vec</c> for the
/// operations and <c>VecF</c> for the register, so that they read the same for all.
/// </summary>
/// <param name="Name">The library's <c>InstructionSet</c> member.</param>
/// <param name="OperationsType">What <c>Vec</c> stands for.</param>
/// <param name="RegisterType">What <c>VecF</c> stands for.</param>
/// <param name="Width">Floats in a register.</param>
/// <param name="Registers">Architectural registers.</param>
/// <param name="Architecture">Which CPUs have it.</param>
internal sealed record Dialect(string Name, string OperationsType, string RegisterType, int Width, int Registers, Architecture Architecture)
{
    private const string Intrinsics = "global::System.Runtime.Intrinsics.";

    public static Dialect Avx512 { get; } = Vector("Avx512", 512, registers: 32, Architecture.X86);

    public static Dialect Avx2 { get; } = Vector("Avx2", 256, registers: 16, Architecture.X86);

    public static Dialect AdvSimd { get; } = Vector("AdvSimd", 128, registers: 32, Architecture.Arm);

    public static Dialect Vector128 { get; } = Vector("Vector128", 128, registers: 16, Architecture.Any);

    public static Dialect Scalar { get; } = new("Scalar", "global::System.Single", "global::System.Single", Width: 1, Registers: 16, Architecture.Any);

    /// <summary>All, best first.</summary>
    public static ReadOnlySpan<Dialect> All => new[] { Avx512, Avx2, AdvSimd, Vector128, Scalar };

    /// <summary>
    /// The instruction set with registers of half the width that every CPU with this one has, where half a register's multiply-adds
    /// take half the time on some (Zen 4 does those of 512 bits in two steps); null for none.
    /// </summary>
    public Dialect? Half => this == Avx512 ? Avx2 : null;

    private bool IsVector => Width > 1;

    /// <summary>A register of zeros.</summary>
    public string Zero => IsVector ? "VecF.Zero" : "0f";

    /// <summary>Reads a register from <paramref name="offset"/> floats past a reference.</summary>
    public string Load(string reference, int offset) => IsVector ? $"Vec.LoadUnsafe(ref {reference}, {offset})" : Element(reference, offset);

    /// <summary>Writes a register to <paramref name="offset"/> floats past a reference.</summary>
    public string Store(string register, string reference, int offset) =>
        IsVector ? $"Vec.StoreUnsafe({register}, ref {reference}, {offset})" : $"{Element(reference, offset)} = {register}";

    /// <summary>Fills a register with one float. The type is named to spare the compiler a choice among some twenty overloads.</summary>
    public string Broadcast(string scalar) => IsVector ? $"Vec.Create<float>({scalar})" : scalar;

    /// <summary><c>a·b + c</c>: fused where the CPU can, else a product and a sum.</summary>
    public static string MultiplyAdd(string a, string b, string c) => $"Vec.MultiplyAddEstimate({a}, {b}, {c})";

    /// <summary>The larger; <paramref name="b"/> where it is NaN.</summary>
    public string Max(string a, string b) => IsVector ? $"Vec.MaxNative({a}, {b})" : $"{a} > {b} ? {a} : {b}";

    /// <summary>One float, <paramref name="offset"/> past a reference.</summary>
    public static string Element(string reference, int offset) => offset == 0 ? reference : $"Unsafe.Add(ref {reference}, {offset})";

    /// <summary>One float of a matrix whose rows are <paramref name="stride"/> floats long, an expression.</summary>
    public static string Element(string reference, int row, string stride, int column)
    {
        string start = row == 1 ? stride : $"{row} * {stride}";
        return row == 0 ? Element(reference, column) : $"Unsafe.Add(ref {reference}, {(column == 0 ? start : $"{start} + {column}")})";
    }

    private static Dialect Vector(string name, int bits, int registers, Architecture architecture) =>
        new(name, $"{Intrinsics}Vector{bits}", $"{Intrinsics}Vector{bits}<float>", bits / 32, registers, architecture);
}
