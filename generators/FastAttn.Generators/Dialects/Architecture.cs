namespace FastAttn.Generators.Dialects;

/// <summary>A family of CPUs.</summary>
internal enum Architecture
{
    /// <summary>All.</summary>
    Any,

    /// <summary>x86, of 32 and of 64 bits.</summary>
    X86,

    /// <summary>ARM, likewise.</summary>
    Arm,
}
