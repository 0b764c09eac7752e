using System;
using System.Collections.Generic;
using System.Globalization;

namespace FastAttn.Embeddings.Tests.Fixtures;

/// <summary>The formula of an encoder in double, one token and one element after the other. It shares no code with the library.</summary>
/// <param name="tensors">Weights by the names of BERT's checkpoints, matrices [out, in].</param>
/// <param name="activation">The activation's formula.</param>
internal sealed class NaiveEncoder(IReadOnlyDictionary<string, float[]> tensors, Func<double, double> activation)
{
    private const int Hidden = TinyBert.Hidden, Heads = TinyBert.Heads, HeadDim = Hidden / Heads;

    /// <summary>x·Φ(x), with the integral of the normal distribution by Simpson's rule: within 10⁻¹² for the sizes that occur.</summary>
    public static double Gelu(double x)
    {
        const int Steps = 2000;
        double width = x / Steps, sum = Density(0) + Density(x);
        for (int i = 1; i < Steps; i++)
            sum += Density(i * width) * (i % 2 == 1 ? 4 : 2);
        return x * (0.5 + sum * width / 3);

        static double Density(double t) => Math.Exp(-t * t / 2) / Math.Sqrt(Math.Tau);
    }

    public static double GeluTanh(double x) => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));

    public double[][] Encode(int[] ids, int[]? types = null, double epsilon = 1e-12)
    {
        double[][] x = new double[ids.Length][];
        for (int i = 0; i < ids.Length; i++)
        {
            x[i] = new double[Hidden];
            for (int j = 0; j < Hidden; j++)
                x[i][j] = (double)tensors["embeddings.word_embeddings.weight"][ids[i] * Hidden + j] + tensors["embeddings.position_embeddings.weight"][i * Hidden + j] + tensors["embeddings.token_type_embeddings.weight"][(types?[i] ?? 0) * Hidden + j];
            x[i] = Norm("embeddings.LayerNorm", x[i], epsilon);
        }

        for (int layer = 0; layer < TinyBert.Layers; layer++)
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"encoder.layer.{layer}.");
            double[][] query = Linear($"{name}attention.self.query", x), key = Linear($"{name}attention.self.key", x), value = Linear($"{name}attention.self.value", x);
            double[][] attended = Linear($"{name}attention.output.dense", Attend(query, key, value));
            x = Add($"{name}attention.output.LayerNorm", x, attended);
            double[][] wide = Linear($"{name}intermediate.dense", x);
            foreach (double[] row in wide)
            {
                for (int i = 0; i < row.Length; i++)
                    row[i] = activation(row[i]);
            }

            x = Add($"{name}output.LayerNorm", x, Linear($"{name}output.dense", wide));
        }

        return x;

        double[][] Add(string norm, double[][] left, double[][] right)
        {
            double[][] sums = new double[left.Length][];
            for (int i = 0; i < sums.Length; i++)
            {
                double[] sum = new double[Hidden];
                for (int j = 0; j < Hidden; j++)
                    sum[j] = left[i][j] + right[i][j];
                sums[i] = Norm(norm, sum, epsilon);
            }

            return sums;
        }
    }

    private static double[][] Attend(double[][] query, double[][] key, double[][] value)
    {
        double[][] output = new double[query.Length][];
        for (int i = 0; i < query.Length; i++)
        {
            output[i] = new double[Hidden];
            for (int head = 0; head < Heads; head++)
            {
                double sum = 0;
                double[] weights = new double[key.Length];
                for (int j = 0; j < key.Length; j++)
                {
                    double product = 0;
                    for (int c = head * HeadDim; c < (head + 1) * HeadDim; c++)
                        product += query[i][c] * key[j][c];
                    sum += weights[j] = Math.Exp(product / Math.Sqrt(HeadDim));
                }

                for (int j = 0; j < key.Length; j++)
                {
                    for (int c = head * HeadDim; c < (head + 1) * HeadDim; c++)
                        output[i][c] += weights[j] / sum * value[j][c];
                }
            }
        }

        return output;
    }

    private double[][] Linear(string name, double[][] input)
    {
        float[] weight = tensors[$"{name}.weight"], bias = tensors[$"{name}.bias"];
        return Array.ConvertAll(input, row =>
        {
            double[] output = new double[bias.Length];
            for (int o = 0; o < output.Length; o++)
            {
                output[o] = bias[o];
                for (int i = 0; i < row.Length; i++)
                    output[o] += (double)weight[o * row.Length + i] * row[i];
            }

            return output;
        });
    }

    private double[] Norm(string name, double[] row, double epsilon)
    {
        double mean = 0, variance = 0;
        foreach (double element in row)
            mean += element / row.Length;
        foreach (double element in row)
            variance += (element - mean) * (element - mean) / row.Length;
        double[] output = new double[row.Length];
        for (int i = 0; i < row.Length; i++)
            output[i] = (row[i] - mean) / Math.Sqrt(variance + epsilon) * tensors[$"{name}.weight"][i] + tensors[$"{name}.bias"][i];
        return output;
    }
}
