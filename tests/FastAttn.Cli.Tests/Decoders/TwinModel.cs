using System;
using System.Collections.Generic;
using System.Linq;

namespace FastAttn.Cli.Tests.Decoders;

/// <summary>
/// A decoder in double precision, written from the papers' formulas in plain loops, with random weights: the oracle. It keeps no cache: each
/// call computes all tokens.
/// </summary>
internal sealed class TwinModel
{
    private readonly Random _random;
    private readonly Dictionary<string, Tensor> _tensors = [];

    public TwinModel(int seed = 1) => _random = new(seed);

    public int Vocabulary { get; init; } = 300;

    public int Dim { get; init; } = 48;

    public int Layers { get; init; } = 4;

    public int Heads { get; init; } = 6;

    public int KeyValueHeads { get; init; } = 6;

    public int HeadDim { get; init; } = 8;

    public int FeedForward { get; init; } = 130;

    public int MaxTokens { get; init; } = 64;

    public double Epsilon { get; init; } = 1e-5;

    /// <summary>GPT-2's blocks and names; else Llama's.</summary>
    public bool IsGpt2 { get; init; }

    public bool IsTied { get; init; }

    public bool HasQkvBias { get; init; }

    public bool HasOutputBias { get; init; }

    public bool HasFeedForwardBias { get; init; }

    public bool HasHeadNorms { get; init; }

    /// <summary>Keys that a query sees, its own included.</summary>
    public int Window { get; init; } = int.MaxValue;

    /// <summary>The frequency of a pair.</summary>
    public Func<int, double> Frequency { get; init; } = _ => throw new InvalidOperationException("A Llama-like model has frequencies.");

    /// <summary>GPT-2's activation.</summary>
    public Func<double, double> Activation { get; init; } = static x => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));

    /// <summary>Whether the product's matrices have 8 bits: each output's weights are rounded to multiples of a 127th of the largest.</summary>
    public bool IsInt8 { get; init; }

    public string Prefix { get; init; } = "";

    public IReadOnlyDictionary<string, Tensor> Tensors => _tensors;

    /// <summary>The usual frequencies.</summary>
    public static Func<int, double> Rotary(double frequencyBase, int headDim) => pair => 1 / Math.Pow(frequencyBase, 2.0 * pair / headDim);

    /// <summary>
    /// Draws the weights, in the precision of a safetensors type. The factors of the last norm are of both signs, so that a model with a tied head does not
    /// just repeat its last token.
    /// </summary>
    public TwinModel WithWeights(string type = "F32")
    {
        Matrix(IsGpt2 ? $"{Prefix}wte.weight" : "model.embed_tokens.weight", Vocabulary, Dim, 1);
        if (IsGpt2)
            Matrix($"{Prefix}wpe.weight", MaxTokens, Dim, 0.3);
        for (int layer = 0; layer < Layers; layer++)
        {
            if (IsGpt2)
            {
                string block = $"{Prefix}h.{layer}.";
                Norm($"{block}ln_1", true);
                Norm($"{block}ln_2", true);
                Conv($"{block}attn.c_attn", Dim, 3 * Dim);
                Conv($"{block}attn.c_proj", Dim, Dim);
                Conv($"{block}mlp.c_fc", Dim, FeedForward);
                Conv($"{block}mlp.c_proj", FeedForward, Dim);
            }
            else
            {
                string block = $"model.layers.{layer}.";
                Norm($"{block}input_layernorm", false);
                Norm($"{block}post_attention_layernorm", false);
                Linear($"{block}self_attn.q_proj", Heads * HeadDim, Dim, HasQkvBias);
                Linear($"{block}self_attn.k_proj", KeyValueHeads * HeadDim, Dim, HasQkvBias);
                Linear($"{block}self_attn.v_proj", KeyValueHeads * HeadDim, Dim, HasQkvBias);
                Linear($"{block}self_attn.o_proj", Dim, Heads * HeadDim, HasOutputBias);
                if (HasHeadNorms)
                {
                    Vector($"{block}self_attn.q_norm.weight", HeadDim, 0.3, 1);
                    Vector($"{block}self_attn.k_norm.weight", HeadDim, 0.3, 1);
                }

                Linear($"{block}mlp.gate_proj", FeedForward, Dim, HasFeedForwardBias);
                Linear($"{block}mlp.up_proj", FeedForward, Dim, HasFeedForwardBias);
                Linear($"{block}mlp.down_proj", Dim, FeedForward, HasFeedForwardBias);
            }
        }

        Norm(IsGpt2 ? $"{Prefix}ln_f" : "model.norm", IsGpt2, mean: 0);
        if (!IsTied)
            Matrix("lm_head.weight", Vocabulary, Dim, 1 / Math.Sqrt(Dim));
        return this;

        void Norm(string name, bool hasBias, double mean = 1)
        {
            Vector($"{name}.weight", Dim, mean == 0 ? 1 : 0.3, mean);
            if (hasBias)
                Vector($"{name}.bias", Dim, 0.3, 0);
        }

        void Linear(string name, int outputs, int inputs, bool hasBias)
        {
            Matrix($"{name}.weight", outputs, inputs, 1 / Math.Sqrt(inputs));
            if (hasBias)
                Vector($"{name}.bias", outputs, 0.3, 0);
        }

        void Conv(string name, int inputs, int outputs)
        {
            Matrix($"{name}.weight", inputs, outputs, 1 / Math.Sqrt(inputs));
            Vector($"{name}.bias", outputs, 0.3, 0);
        }

        void Matrix(string name, int rows, int columns, double deviation) => Add(name, [rows, columns], deviation, 0);

        void Vector(string name, int length, double deviation, double mean) => Add(name, [length], deviation, mean);

        void Add(string name, int[] shape, double deviation, double mean)
        {
            float[] numbers = new float[shape.Aggregate(1, static (a, b) => a * b)];
            for (int i = 0; i < numbers.Length; i++)
            {
                double normal = Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble());
                numbers[i] = Round((float)(mean + deviation * normal), type);
            }

            _tensors.Add(name, new(type, shape, numbers));
        }
    }

    /// <summary>The logits after the last token.</summary>
    public double[] Logits(IReadOnlyList<int> tokens)
    {
        double[][] rows = [.. tokens.Select((token, position) => Embed(token, position))];
        for (int layer = 0; layer < Layers; layer++)
            rows = IsGpt2 ? Gpt2Block(rows, layer) : LlamaBlock(rows, layer);
        double[] last = IsGpt2 ? LayerNorm(rows[^1], $"{Prefix}ln_f") : RmsNorm(rows[^1], "model.norm.weight");
        return Multiply(last, IsTied ? (IsGpt2 ? $"{Prefix}wte.weight" : "model.embed_tokens.weight") : "lm_head.weight");
    }

    /// <summary>The tokens that greedy choice appends, and by how much each is ahead of the next best.</summary>
    public (int[] Tokens, double Margin) Continue(IReadOnlyList<int> prompt, int count)
    {
        List<int> tokens = [.. prompt];
        double margin = double.PositiveInfinity;
        for (int i = 0; i < count; i++)
        {
            double[] logits = Logits(tokens);
            int best = Array.IndexOf(logits, logits.Max());
            margin = Math.Min(margin, logits[best] - logits.Where((_, token) => token != best).Max());
            tokens.Add(best);
        }

        return ([.. tokens.Skip(prompt.Count)], margin);
    }

    private double[] Embed(int token, int position)
    {
        double[] row = Row(IsGpt2 ? $"{Prefix}wte.weight" : "model.embed_tokens.weight", token);
        return IsGpt2 ? Sum(row, Row($"{Prefix}wpe.weight", position)) : row;
    }

    private double[][] LlamaBlock(double[][] rows, int layer)
    {
        string block = $"model.layers.{layer}.", attention = $"{block}self_attn.";
        double[][] queries = new double[rows.Length][], keys = new double[rows.Length][], values = new double[rows.Length][];
        for (int i = 0; i < rows.Length; i++)
        {
            double[] normed = RmsNorm(rows[i], $"{block}input_layernorm.weight");
            queries[i] = Turn(Linear(normed, $"{attention}q_proj"), $"{attention}q_norm.weight", i);
            keys[i] = Turn(Linear(normed, $"{attention}k_proj"), $"{attention}k_norm.weight", i);
            values[i] = Linear(normed, $"{attention}v_proj");
        }

        double[][] result = new double[rows.Length][];
        for (int i = 0; i < rows.Length; i++)
        {
            double[] sum = Sum(rows[i], Linear(Attend(queries[i], keys, values, i), $"{attention}o_proj"));
            double[] normed = RmsNorm(sum, $"{block}post_attention_layernorm.weight");
            double[] gate = Linear(normed, $"{block}mlp.gate_proj"), up = Linear(normed, $"{block}mlp.up_proj");
            double[] inner = [.. gate.Zip(up, static (g, u) => g / (1 + Math.Exp(-g)) * u)];
            result[i] = Sum(sum, Linear(inner, $"{block}mlp.down_proj"));
        }

        return result;
    }

    private double[][] Gpt2Block(double[][] rows, int layer)
    {
        string block = $"{Prefix}h.{layer}.";
        double[][] qkv = [.. rows.Select(row => Conv(LayerNorm(row, $"{block}ln_1"), $"{block}attn.c_attn"))];
        double[][] keys = [.. qkv.Select(row => row[Dim..(2 * Dim)])], values = [.. qkv.Select(row => row[(2 * Dim)..])];
        double[][] result = new double[rows.Length][];
        for (int i = 0; i < rows.Length; i++)
        {
            double[] sum = Sum(rows[i], Conv(Attend(qkv[i][..Dim], keys, values, i), $"{block}attn.c_proj"));
            double[] inner = [.. Conv(LayerNorm(sum, $"{block}ln_2"), $"{block}mlp.c_fc").Select(Activation)];
            result[i] = Sum(sum, Conv(inner, $"{block}mlp.c_proj"));
        }

        return result;
    }

    private double[] Attend(double[] query, double[][] keys, double[][] values, int index)
    {
        double[] attended = new double[Heads * HeadDim];
        int first = (int)Math.Max(0L, index - (long)Window + 1), group = Heads / KeyValueHeads;
        for (int head = 0; head < Heads; head++)
        {
            int from = head * HeadDim, keyFrom = head / group * HeadDim;
            double[] scores = [.. Enumerable.Range(first, index - first + 1).Select(j => Enumerable.Range(0, HeadDim).Sum(e => query[from + e] * keys[j][keyFrom + e]) / Math.Sqrt(HeadDim))];
            double max = scores.Max();
            double[] weights = [.. scores.Select(score => Math.Exp(score - max))];
            double total = weights.Sum();
            for (int e = 0; e < HeadDim; e++)
                attended[from + e] = weights.Select((weight, j) => weight / total * values[first + j][keyFrom + e]).Sum();
        }

        return attended;
    }

    /// <summary>Normalises each head where the model does that, then turns its pairs (e, e + d/2) by their angles.</summary>
    private double[] Turn(double[] heads, string norm, int position)
    {
        double[] turned = new double[heads.Length];
        for (int from = 0; from < heads.Length; from += HeadDim)
        {
            double[] head = heads[from..(from + HeadDim)];
            if (HasHeadNorms)
                head = RmsNorm(head, norm);
            for (int pair = 0; pair < HeadDim / 2; pair++)
            {
                double angle = position * Frequency(pair), x = head[pair], y = head[pair + HeadDim / 2];
                turned[from + pair] = x * Math.Cos(angle) - y * Math.Sin(angle);
                turned[from + pair + HeadDim / 2] = x * Math.Sin(angle) + y * Math.Cos(angle);
            }
        }

        return turned;
    }

    private double[] RmsNorm(double[] row, string name)
    {
        double root = Math.Sqrt(row.Average(static x => x * x) + Epsilon);
        return [.. row.Select((x, i) => x / root * _tensors[name].Numbers[i])];
    }

    private double[] LayerNorm(double[] row, string name)
    {
        double mean = row.Average(), root = Math.Sqrt(row.Average(x => (x - mean) * (x - mean)) + Epsilon);
        return [.. row.Select((x, i) => (x - mean) / root * _tensors[$"{name}.weight"].Numbers[i] + _tensors[$"{name}.bias"].Numbers[i])];
    }

    private double[] Linear(double[] row, string name) => WithBias(Multiply(row, $"{name}.weight"), name);

    private double[] Conv(double[] row, string name)
    {
        Tensor matrix = _tensors[$"{name}.weight"];
        int outputs = matrix.Shape[1];
        double[] result = new double[outputs];
        for (int o = 0; o < outputs; o++)
        {
            int output = o;
            double step = Step(Enumerable.Range(0, row.Length).Select(i => matrix.Numbers[i * outputs + output]));
            for (int i = 0; i < row.Length; i++)
                result[o] += row[i] * Stored(matrix.Numbers[i * outputs + o], step);
        }

        return WithBias(result, name);
    }

    private double[] Multiply(double[] row, string name)
    {
        Tensor matrix = _tensors[name];
        double[] result = new double[matrix.Shape[0]];
        for (int o = 0; o < result.Length; o++)
        {
            ReadOnlyMemory<float> weights = matrix.Numbers.AsMemory(o * row.Length, row.Length);
            double step = Step(weights.ToArray());
            for (int i = 0; i < row.Length; i++)
                result[o] += row[i] * Stored(weights.Span[i], step);
        }

        return result;
    }

    // A float32, as the library has its scales. Dividing in double here and in float32 there may round a weight differently where it lies within an ulp of the
    // middle between two steps; the seeds of the tests meet none, or their comparisons would fail.
    private double Step(IEnumerable<float> weights) => IsInt8 ? weights.Max(Math.Abs) / 127f : 0;

    private static double Stored(float weight, double step) => step == 0 ? weight : Math.Round(weight / step, MidpointRounding.ToEven) * step;

    private double[] WithBias(double[] row, string name) =>
        _tensors.TryGetValue($"{name}.bias", out Tensor? bias) ? [.. row.Select((x, i) => x + bias.Numbers[i])] : row;

    private double[] Row(string name, int index) => [.. _tensors[name].Numbers.AsSpan(index * Dim, Dim).ToArray().Select(static x => (double)x)];

    private static double[] Sum(double[] a, double[] b) => [.. a.Zip(b, static (x, y) => x + y)];

    private static float Round(float number, string type) => type switch
    {
        "F16" => (float)(Half)number,
        "BF16" => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(number) & 0xFFFF0000),
        "F32" => number,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "F32, F16 or BF16."),
    };

    /// <summary>A tensor as it is stored.</summary>
    internal sealed record Tensor(string Type, int[] Shape, float[] Numbers);
}
