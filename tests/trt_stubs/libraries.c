/* Stands in for libnvinfer, libnvonnxparser and libnvinfer_plugin, so that the real Python bindings
 * can be imported without the libraries: every class, signature and enumeration exists, but nothing
 * can be created. */

#define NOTHING(name) \
    void *name(void)  \
    {                 \
        return 0;     \
    }

NOTHING(createInferBuilder_INTERNAL)
NOTHING(createInferRuntime_INTERNAL)
NOTHING(createInferRefitter_INTERNAL)
NOTHING(createNvOnnxParser_INTERNAL)
NOTHING(createNvOnnxParserRefitter_INTERNAL)
NOTHING(getPluginRegistry)
NOTHING(getBuilderPluginRegistry)

int getNvOnnxParserVersion(void)
{
    return 0;
}

int initLibNvInferPlugins(void *logger, const char *library)
{
    (void)logger;
    (void)library;
    return 1;
}
