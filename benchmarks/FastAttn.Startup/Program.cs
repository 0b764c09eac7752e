// What the first calls of a process take: `report` runs this program, under the JIT and as native code.
// It prints the milliseconds of the first call, of the second, and of a call when all is warm; with "once" it ends after one call.
using System;
using System.Diagnostics;
using System.Globalization;
using System.Threading;

using FastAttn;

const int Heads = 8, Length = 512, HeadDim = 64;
var shape = new AttentionShape(batch: 1, Heads, Length);
var random = new Random(1);
float[] query = Uniform(), key = Uniform(), value = Uniform(), output = new float[query.Length];

double first = Call();
if (args is ["once"])
    return;
double second = Call();

// The JIT replaces code that was called 30 times, in the background and in steps.
const int Passes = 4, Calls = 31, Samples = 15;
for (int pass = 0; pass < Passes; pass++)
{
    for (int i = 0; i < Calls; i++)
        Call();
    Thread.Sleep(200);
}

var steady = new double[Samples];
foreach (ref double sample in steady.AsSpan())
    sample = Call();
Array.Sort(steady);
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{first} {second} {steady[Samples / 2]}"));

double Call()
{
    long start = Stopwatch.GetTimestamp();
    ScaledDotProductAttention.Forward(query, key, value, output, shape, HeadDim, execution: new AttentionExecution { MaxDegreeOfParallelism = 1 });
    return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
}

float[] Uniform() => Array.ConvertAll(new float[Heads * Length * HeadDim], _ => random.NextSingle() - 0.5f);
