const updateOTP = async (otpId, maxUses) => {
  try {
    const response = await api.put(`/otps/${otpId}`, {
      max_uses: maxUses,
    });
    return response.data;
  } catch (error) {
    console.error("Failed to update OTP:", error);
    return null;
  }
};
