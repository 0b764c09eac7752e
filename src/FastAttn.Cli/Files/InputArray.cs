using FastAttn.Cli.Npy;

namespace FastAttn.Cli;

/// <summary>An array that was read for an option. Its last axes are the last of [B, H, L, D]; axes that it lacks have size 1.</summary>
internal sealed record InputArray(string Option, string Path, NpyArray Array)
{
    public int Batch => Axis(4);

    public int Heads => Axis(3);

    public int Length => Axis(2);

    public int Dimension => Axis(1);

    /// <summary>The shape as Python writes it.</summary>
    public string ShapeText => NpyHeader.Of(Array.Shape).ShapeText;

    /// <summary>How messages name it.</summary>
    public string Name => InputFile.Name(Option, Path);

    public static InputArray Read(string option, string path) =>
        InputFile.Read(option, path, "an .npy file", file => new InputArray(option, path, NpyFile.Read(file)));

    public void RequireRank(int min, int max)
    {
        if (Array.Shape.Length < min || Array.Shape.Length > max)
            throw new InputException($"{Name}: has {Array.Shape.Length} axes; expected {min} to {max}: [L,D], [H,L,D] or [B,H,L,D].");
    }

    public void RequireRankOf(InputArray other)
    {
        if (Array.Shape.Length != other.Array.Shape.Length)
            throw new InputException($"{Name}: has {Array.Shape.Length} axes; expected {other.Array.Shape.Length}, as {other.Name} has.");
    }

    public void RequireSame(InputArray other, string axis, int size, int expected)
    {
        if (size != expected)
            throw new InputException($"{Name}: has {axis} {size}; expected {expected}, as {other.Name} has.");
    }

    public void RequireDimension(int max)
    {
        if (Dimension < 1 || Dimension > max)
            throw new InputException($"{Name}: its last axis is {Dimension}; expected 1 to {max}.");
    }

    /// <summary>
    /// Refuses more heads in all sequences than an array can have elements. The array itself may be empty: beside an axis of 0 the others may have
    /// any size.
    /// </summary>
    public void RequireHeadsInAll()
    {
        if ((long)Batch * Heads > System.Array.MaxLength)
            throw new InputException($"{Name}: has {(long)Batch * Heads} heads in all sequences; {System.Array.MaxLength} are the most.");
    }

    public void RequireHeadsMultipleOf(InputArray keys)
    {
        if (keys.Heads == 0 ? Heads != 0 : Heads % keys.Heads != 0)
            throw new InputException($"{Name}: has heads {Heads}; expected a multiple of the {keys.Heads} of {keys.Name}.");
    }

    private int Axis(int fromEnd) => fromEnd <= Array.Shape.Length ? Array.Shape[^fromEnd] : 1;
}
