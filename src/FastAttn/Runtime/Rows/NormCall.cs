using System;
using System.Diagnostics.CodeAnalysis;

namespace FastAttn.Runtime;

/// <summary>One call that normalises rows, with its caller's arguments.</summary>
[SuppressMessage("Usage", "CA2208:Instantiate argument exceptions correctly", Justification = "The names are those of the public method's parameters.")]
[SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The names are those of the public method's parameters.")]
internal ref struct NormCall
{
    private const string InputName = "input", ResidualName = "residual", WeightName = "weight", BiasName = "bias", OutputName = "output";

    /// <summary>[rows, dim].</summary>
    public ReadOnlySpan<float> Input { get; set; }

    /// <summary>[rows, dim]: what is added to the input; empty for nothing.</summary>
    public ReadOnlySpan<float> Residual { get; set; }

    /// <summary>[rows, dim]: the residual, if the sum is to replace it.</summary>
    public Span<float> Sum { get; set; }

    /// <summary>Whether there is a <see cref="Sum"/>.</summary>
    public bool KeepsSum { get; set; }

    /// <summary>[dim].</summary>
    public ReadOnlySpan<float> Weight { get; set; }

    /// <summary>[dim]; empty for none.</summary>
    public ReadOnlySpan<float> Bias { get; set; }

    /// <summary>[rows, dim], written.</summary>
    public Span<float> Output { get; set; }

    public int Rows { get; set; }

    public float Epsilon { get; set; }

    public float WeightOffset { get; set; }

    /// <summary>Whether the mean is subtracted.</summary>
    public bool IsCentred { get; set; }

    /// <summary>Checks everything, cuts the buffers to the needed floats and normalises the rows.</summary>
    /// <param name="functions">The functions on the vectors to use.</param>
    /// <param name="execution">How the call runs; already checked.</param>
    public unsafe void Run(RowFunctions functions, in AttentionExecution execution)
    {
        Check();
        fixed (float* input = Input, residual = KeepsSum ? Sum : Residual, weight = Weight, bias = Bias, output = Output)
        {
            NormOperation norm = new()
            {
                Functions = functions, Input = input, Residual = residual, Sum = KeepsSum ? residual : output, Weight = weight, Bias = bias, Output = output,
                Rows = Rows, RowFloats = Weight.Length, WeightOffset = WeightOffset, Epsilon = Epsilon, IsCentred = IsCentred,
            };
            TiledJob<RowWork<NormOperation>>.Run(new(norm), execution.MaxDegreeOfParallelism, execution.CancellationToken);
        }
    }

    private void Check()
    {
        if (Rows < 0)
            throw new ArgumentOutOfRangeException("rows", Rows, "Must not be negative.");
        if (!(Epsilon >= 0 && float.IsFinite(Epsilon)))
            throw new ArgumentOutOfRangeException("epsilon", Epsilon, "Must be finite and not negative.");
        if (!float.IsFinite(WeightOffset))
            throw new ArgumentOutOfRangeException("weightOffset", WeightOffset, "Must be finite.");
        int dim = Weight.Length;
        if (dim == 0)
            throw new ArgumentException("Is empty; it has a factor for each element of a row.", WeightName);
        if (!Bias.IsEmpty && Bias.Length != dim)
            throw new ArgumentException($"Has {Bias.Length} elements; weight has {dim}.", BiasName);

        Input = RowBuffers.Rows(InputName, Input, Rows, dim);
        if (KeepsSum)
            Sum = RowBuffers.WrittenRows(ResidualName, Sum, Rows, dim);
        else if (!Residual.IsEmpty)
            Residual = RowBuffers.Rows(ResidualName, Residual, Rows, dim);
        Output = RowBuffers.WrittenRows(OutputName, Output, Rows, dim);

        RowBuffers.CheckSameOrApart(OutputName, Output, InputName, Input);
        RowBuffers.CheckApart(OutputName, Output, WeightName, Weight);
        RowBuffers.CheckApart(OutputName, Output, BiasName, Bias);
        if (!KeepsSum)
        {
            RowBuffers.CheckSameOrApart(OutputName, Output, ResidualName, Residual);
            return;
        }

        RowBuffers.CheckApart(OutputName, Output, ResidualName, Sum);
        RowBuffers.CheckApart(ResidualName, Sum, InputName, Input);
        RowBuffers.CheckApart(ResidualName, Sum, WeightName, Weight);
        RowBuffers.CheckApart(ResidualName, Sum, BiasName, Bias);
    }
}
